/** What Node itself needs to start and to trust the service. */
const PASSED_ON = [
  "PATH",
  "LD_LIBRARY_PATH",
  "SYSTEMROOT",
  "TZ",
  "NODE_EXTRA_CA_CERTS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "NODE_USE_SYSTEM_CA",
  "OPENSSL_CONF",
  "SSL_CERT_DIR",
  "SSL_CERT_FILE",
];

/** Of the program's own flags, those that decide whom a connection trusts. */
const TRUST_FLAG = /^--(use-(system|openssl|bundled)-ca|openssl-\S+|tls-\S+|dns-result-order=\S+)$/;

/**
 * A list of what may pass rather than of what may not: an environment is full of keys that are not
 * ours, and NODE_OPTIONS of what would make the helper a debugger or a tracer.
 */
export function helperEnvironment(): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

export function helperFlags(): readonly string[] {
  const fromVariable = process.env["NODE_OPTIONS"]?.split(/\s+/) ?? [];
  return [...fromVariable, ...process.execArgv].filter((flag) => TRUST_FLAG.test(flag));
}
