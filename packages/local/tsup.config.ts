import { defineConfig, type Options } from "tsup";

const options: Options = {
  format: ["esm"],
  target: "node22",
  sourcemap: false,
};

export default defineConfig([
  {
    ...options,
    entry: {
      index: "src/index.ts",
      "spawn-helper": "src/spawn-helper.ts",
      "probe-main": "src/probe-main.ts",
      prepare: "src/prepare-local-service.ts",
      "inherited-descriptors": "src/spawner/inherited-descriptors.ts",
    },
    dts: true,
    clean: ["dist/*", "!dist/terminal-main.js", "!dist/relay-main.js", "!dist/dockerode.js"],
    splitting: true,
  },
  // In one piece, and only loaded by who wants Docker. Of what it asks for, nothing is used that
  // needs compilers (ssh), or another gRPC (build sessions).
  {
    ...options,
    entry: ["src/dockerode.ts"],
    splitting: false,
    noExternal: [/^[^.]/],
    esbuildOptions: (esbuild) => {
      const unused = ["ssh2", "@grpc/grpc-js", "@grpc/proto-loader", "protobufjs", "tar-fs"];
      esbuild.alias = Object.fromEntries(
        [...unused, "@balena/dockerignore"].map((name) => [
          name,
          "./src/engines/docker/unused.cjs",
        ]),
      );
    },
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  },
  // In one piece: they are copied where the account of the service could not read them.
  { ...options, entry: ["src/terminal-main.ts", "src/relay-main.ts"], splitting: false },
]);
