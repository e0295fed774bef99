import { type ErrorOptionsOf, TidyboxError } from "./tidybox-error.ts";

/** An option, variable or argument is wrong; nothing was sent. Code `"configuration_error"`. */
export class ConfigurationError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "configuration_error", ...options });
  }
}

/** The service does not accept the credentials. Code `"authentication_error"`. */
export class AuthenticationError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "authentication_error", ...options });
  }
}

/** No such sandbox (or snapshot). Code `"not_found"`. */
export class NotFoundError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "not_found", ...options });
  }
}

/**
 * Nobody answers at the address, the connection broke, or the service says that it cannot serve
 * now. The message names the address. Code `"unavailable"`.
 */
export class UnavailableError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "unavailable", ...options });
  }
}

/** A quota, rate or capacity is used up (RESOURCE_EXHAUSTED). Code `"quota_exceeded"`. */
export class QuotaError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "quota_exceeded", ...options });
  }
}

/** Something took longer than its limit. Code `"timeout"`. */
export class TimeoutError extends TidyboxError {
  constructor(options: ErrorOptionsOf) {
    super({ code: "timeout", ...options });
  }
}
