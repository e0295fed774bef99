import { afterEach, expect, test, vi } from "vitest";
import { ConfigurationError } from "../errors/request-errors.ts";
import { isLoopback, resolveBaseUrl } from "./address.ts";

afterEach(() => vi.unstubAllEnvs());

test("takes the option, then the environment, then the public service", () => {
  vi.stubEnv("CWSANDBOX_BASE_URL", undefined);
  expect(resolveBaseUrl(undefined)).toBe("https://api.cwsandbox.com");
  vi.stubEnv("CWSANDBOX_BASE_URL", " http://127.0.0.1:1234/ ");
  expect(resolveBaseUrl(undefined)).toBe("http://127.0.0.1:1234");
  expect(resolveBaseUrl("http://[::1]:80")).toBe("http://[::1]");
});

test("names what holds an unusable address, and shows no password of it", () => {
  vi.stubEnv("CWSANDBOX_BASE_URL", "localhost:1234");
  expect(() => resolveBaseUrl(undefined)).toThrow(/CWSANDBOX_BASE_URL is not an http/);
  expect(() => resolveBaseUrl("https://host/v1")).toThrow(ConfigurationError);
  expect(() => resolveBaseUrl("https://host?x=1")).toThrow(/scheme, host and port only/);
  try {
    resolveBaseUrl("https://me:hunter2@host");
    expect.unreachable();
  } catch (error) {
    expect(String(error)).toContain("***@host");
    expect(String(error)).not.toContain("hunter2");
  }
});

test("knows this machine", () => {
  expect(
    ["http://127.0.0.1:1", "http://127.8.8.8:1", "http://localhost", "http://[::1]:1"].every(
      isLoopback,
    ),
  ).toBe(true);
  expect(
    ["https://api.cwsandbox.com", "http://10.0.0.1", "http://localhost.example.com"].some(
      isLoopback,
    ),
  ).toBe(false);
});
