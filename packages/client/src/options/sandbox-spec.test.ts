import { create, equals } from "@bufbuild/protobuf";
import { KEEP_ALIVE_COMMAND, SandboxMode, SandboxSpecSchema } from "@tidybox/protocol";
import { expect, test } from "vitest";
import { ConfigurationError } from "../errors/request-errors.ts";
import { mergeSandboxOptions } from "./merge.ts";
import type { SandboxOptions } from "./sandbox-options.ts";
import { toSandboxSpec } from "./sandbox-spec.ts";

test("without options: one container named main, that waits", () => {
  const [program, ...args] = KEEP_ALIVE_COMMAND;
  const expected = create(SandboxSpecSchema, {
    containers: [{ name: "main", image: "python:3.11", command: program, args }],
    primaryContainer: "main",
  });
  expect(equals(SandboxSpecSchema, toSandboxSpec({}), expected)).toBe(true);
  expect(toSandboxSpec({}).network).toBeUndefined();
});

test("every option has its place on the wire", () => {
  const spec = toSandboxSpec({
    containerImage: "debian:12",
    command: ["sleep", "1", "2"],
    environment: { A: "1" },
    workingDirectory: "/srv",
    files: { "/a": "text", "/b": new Uint8Array([1]) },
    resources: { cpu: "500m", memory: "1Gi", gpu: { count: 2, type: "H100" } },
    volumes: [
      {
        name: "work",
        mountPath: "/work",
        scratch: { size: "1Gi", medium: "memory", restoreFromSnapshotId: "fss-1" },
      },
      { name: "data", mountPath: "/data", volumeId: "vol-1", readOnly: true, subPath: "x" },
    ],
    services: [
      { port: 80, name: "web", visibility: "public", endpoint: { kind: "https", auth: "open" } },
    ],
    network: {
      egress: [{ dnsName: "*.Example.com" }, { any: true, ports: [{ port: 1, endPort: 2 }] }],
      denyIngress: false,
    },
    secrets: [
      { store: "s", name: "k1" },
      { store: "t", name: "k2", environmentVariable: "V" },
      { store: "s", name: "k3", field: "f" },
    ],
    maxLifetimeSeconds: 60,
    tags: ["a", "b", "a"],
    annotations: { who: "me" },
    objectStorageAccess: { buckets: ["b"], permission: "read-write", objectPrefix: "p/" },
    securityContext: { runAsUser: 0, capabilitiesAdd: ["NET_ADMIN"] },
    imagePullCredentials: { registry: "r", store: "s", name: "pull" },
    containers: [{ name: "side", image: "i", volumeMounts: [{ volume: "work", mountPath: "/w" }] }],
    initContainers: [{ name: "first", image: "i", command: ["true"] }],
    networkIds: ["n"],
    runnerIds: ["r1"],
    instanceType: "t",
    runtimeClass: "c",
  });
  const resources = {
    cpu: "500m",
    memory: "1Gi",
    gpu: { count: 2n, selector: { case: "type", value: "H100" } },
  };
  expect(spec).toMatchObject({
    primaryContainer: "main",
    maxLifetimeSeconds: 60,
    tags: ["a", "b"],
    annotations: { who: "me" },
    networkIds: ["n"],
    runnerIds: ["r1"],
    instanceType: "t",
    runtimeClass: "c",
    mode: SandboxMode.CKS,
    initContainers: [{ name: "first", command: "true", args: [] }],
    objectStorageAccess: { buckets: ["b"], permission: 2, objectPrefix: "p/" },
    services: [{ port: 80, name: "web", visibility: 1, endpoint: { kind: 1, auth: 1 } }],
    volumes: [
      {
        name: "work",
        source: {
          case: "scratch",
          value: { size: "1Gi", medium: 2, restoreFromSnapshotId: "fss-1" },
        },
      },
      { name: "data", source: { case: "volumeId", value: "vol-1" } },
    ],
    network: {
      denyIngress: false,
      egress: [
        { destination: { case: "dnsName", value: "*.example.com" } },
        { destination: { case: "any", value: true }, ports: [{ port: 1, endPort: 2 }] },
      ],
    },
    containers: [
      {
        name: "main",
        image: "debian:12",
        command: "sleep",
        args: ["1", "2"],
        environmentVariables: { A: "1" },
        workingDir: "/srv",
        files: [
          { path: "/a", content: new TextEncoder().encode("text") },
          { path: "/b", content: new Uint8Array([1]) },
        ],
        resourceRequirements: { requests: resources, limits: resources },
        volumeMounts: [
          { volume: "work", mountPath: "/work" },
          { volume: "data", mountPath: "/data", readOnly: true, subPath: "x" },
        ],
        secretStores: [
          {
            storeName: "s",
            secrets: [
              { path: "k1", envVar: "k1" },
              { path: "k3", field: "f", envVar: "k3" },
            ],
          },
          { storeName: "t", secrets: [{ path: "k2", envVar: "V" }] },
        ],
        securityContext: { runAsUser: 0, capabilitiesAdd: ["NET_ADMIN"] },
        imagePullCredentials: { registry: "r", credentials: { storeName: "s", path: "pull" } },
      },
      { name: "side", command: "", volumeMounts: [{ volume: "work", mountPath: "/w" }] },
    ],
  });
  expect(spec.network?.denyEgress).toBeUndefined();
});

const wrong: readonly (readonly [string, SandboxOptions])[] = [
  ["tags[1]", { tags: ["ok", "not ok"] }],
  ["tags[0] is 60", { tags: ["x".repeat(60)] }],
  ["tags[0]", { tags: ["ends-with-"] }],
  ["tags must be a list", { tags: "one" as unknown as string[] }],
  ["maxLifetimeSeconds", { maxLifetimeSeconds: 30 * 86_400 + 1 }],
  ["maxLifetimeSeconds", { maxLifetimeSeconds: 1.5 }],
  ["command must", { command: [] }],
  ["command[0]", { command: [" "] }],
  ["environment.A", { environment: { A: undefined as unknown as string } }],
  ["workingDirectory", { workingDirectory: "relative" }],
  ['files["rel"]', { files: { rel: "" } }],
  ["resources must name", { resources: {} }],
  [
    "requests and limits together",
    { resources: { requests: { cpu: "1" } } as unknown as { cpu: string } },
  ],
  ["volumes (names)", { volumes: [{ name: "a" }, { name: "a" }] }],
  ["volumes[0].mountPath must not be in /etc", { volumes: [{ name: "a", mountPath: "/etc/x" }] }],
  [
    "volumes[0].mountPath overlaps",
    { volumes: [{ name: "a", mountPath: "/w" }], files: { "/w/f": "" } },
  ],
  ["volumes[0].scratch.size", { volumes: [{ name: "a", scratch: { medium: "memory" } }] }],
  ["services[0].port", { services: [{ port: 0 }] }],
  ["services (ports)", { services: [{ port: 1 }, { port: 1 }] }],
  ["services[0].endpoint", { services: [{ port: 1, endpoint: { kind: "https", auth: "open" } }] }],
  ["network.egress must be empty", { network: { denyEgress: true, egress: [{ any: true }] } }],
  ["network.egress[0].dnsName", { network: { egress: [{ dnsName: "*" }] } }],
  ['environment has the name "A=B"', { environment: { "A=B": "1" } }],
  ["secrets[0]", { secrets: [{ store: "s", name: "A" }], environment: { A: "1" } }],
  [
    "secrets has 51",
    { secrets: Array.from({ length: 51 }, (_, index) => ({ store: "s", name: `n${index}` })) },
  ],
  ["annotations.a", { annotations: { a: "" } }],
  [
    "objectStorageAccess.objectPrefix",
    { objectStorageAccess: { buckets: ["b"], permission: "read", objectPrefix: "no-slash" } },
  ],
  ["runnerIds needs mode", { mode: "serverless", runnerIds: ["r"] }],
  ["primaryContainer", { primaryContainer: "nobody" }],
  ["containers (names)", { containers: [{ name: "main", image: "i" }] }],
  ["Use containerImage", { image: "debian" } as SandboxOptions],
  ["Known are", { colour: "red" } as SandboxOptions],
];

test.for(wrong)("names the wrong option: %s", ([named, options]) => {
  expect(() => toSandboxSpec(options)).toThrow(ConfigurationError);
  expect(() => toSandboxSpec(options)).toThrow(named);
});

test("later options win, maps merge by key, tags add up, undefined changes nothing", () => {
  const merged = mergeSandboxOptions(
    { containerImage: "a", tags: ["x", "y"], environment: { A: "1", B: "1" }, files: { "/a": "" } },
    undefined,
    {
      containerImage: undefined,
      tags: ["y", "z"],
      environment: { B: "2" },
      annotations: { k: "v" },
    },
    { files: { "/b": "" } },
  );
  expect(merged).toEqual({
    containerImage: "a",
    tags: ["x", "y", "z"],
    environment: { A: "1", B: "2" },
    annotations: { k: "v" },
    files: { "/b": "" },
  });
});
