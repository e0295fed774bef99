import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { inspect } from "node:util";
import { type Context, Script, createContext } from "node:vm";
import * as outsideErrors from "@tidybox/client/errors";
import { build } from "tsup";
import { beforeAll, describe, expect, test } from "vitest";
import type { Realm } from "./realm.ts";

let script: Script;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "jest-realm-"));
  try {
    await build({
      config: false,
      silent: true,
      entry: { realm: join(import.meta.dirname, "realm.ts") },
      format: ["cjs"],
      outDir: folder,
      noExternal: [/./],
      outExtension: () => ({ js: ".cjs" }),
    });
    const text = readFileSync(join(folder, "realm.cjs"), "utf8");
    script = new Script(`(function (module, exports) {${text}\n})`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A context as Jest's node environment makes one: with classes of Node's shared with the outside. */
class Inside {
  readonly realm: Realm;
  readonly #context: Context;

  constructor() {
    const shared = { Buffer, Uint8Array, ArrayBuffer, URL, AbortController, AbortSignal };
    this.#context = createContext({ ...shared, ReadableStream, DOMException, setTimeout });
    const load = script.runInContext(this.#context) as (module: object, exports: object) => void;
    const module = { exports: {} as { createRealm: () => Realm } };
    load(module, module.exports);
    this.realm = module.exports.createRealm();
  }

  /** What the code of a test answers that is given those values. */
  run(code: string, values: Readonly<Record<string, unknown>> = {}): unknown {
    for (const [name, value] of Object.entries(values))
      this.#context[name] = this.realm.enter(value);
    return new Script(`(() => { ${code} })()`).runInContext(this.#context);
  }

  async runAsync(code: string, values: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.run(`return (async () => { ${code} })();`, values);
  }
}

/** Whatever is drawn of it, its class is the outside's. */
class Box {
  readonly #secret = "kept";
  readonly id = "box-1";
  readonly labels: Record<string, string> = { a: "1" };
  readonly tags = ["x"];
  count = 0;
  stopped = false;
  received: unknown;

  get secret(): string {
    return this.#secret;
  }
  async exec(command: readonly string[]): Promise<object> {
    await Promise.resolve();
    if (command[0] === "fail") {
      throw new outsideErrors.NotFoundError({ message: "no such thing", advice: "Look again." });
    }
    return { exitCode: 0, argv: command, bytes: new Uint8Array([1, 2]), at: new Date(0) };
  }
  *lines(): Generator<object> {
    yield { line: 1 };
    yield { line: 2 };
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<object> {
    yield { chunk: 1 };
    yield { chunk: 2 };
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
    this.stopped = true;
  }
  self(): this {
    return this;
  }
  async with(callback: (box: Box, options: object) => unknown): Promise<unknown> {
    this.received = await callback(this, { n: 1 });
    return this.received;
  }
  keep(value: unknown): unknown {
    this.received = value;
    return value;
  }
}

describe("errors", () => {
  const { TidyboxError, CommandFailedError, ...others } = outsideErrors;
  const options = { message: "it broke", advice: "Mend it.", code: "broken" };

  test.each(
    Object.keys({ TidyboxError, CommandFailedError, ...others }).filter((name) =>
      name.endsWith("Error"),
    ),
  )("%s is one of the realm", (name) => {
    const Kind = Reflect.get(outsideErrors, name) as { readonly prototype: object };
    // Without its constructor, which wants what only a failed command has.
    const error = Object.create(Kind.prototype, {
      message: { value: "it broke" },
      code: { value: "broken", enumerable: true },
      stack: { value: `${name}: it broke\n    at user.test.ts:1:1` },
    }) as Error;
    Object.defineProperty(error, Symbol.toStringTag, { value: "Error" });
    const seen = new Inside().run(
      `return [e instanceof Error, e.constructor.name, e.message, e.code, e.stack].join("|")`,
      { e: error },
    );
    expect(seen).toBe(`true|${name}|it broke|broken|${name}: it broke\n    at user.test.ts:1:1`);
  });

  test.each([
    "Error",
    "EvalError",
    "RangeError",
    "ReferenceError",
    "SyntaxError",
    "TypeError",
    "URIError",
  ])("%s of Node's is the realm's", (name) => {
    const Kind = Reflect.get(globalThis, name) as ErrorConstructor;
    const seen = new Inside().run(
      `return e instanceof ${name} && Object.keys(e).join() === "errno"`,
      {
        e: Object.assign(new Kind("x"), { errno: 2 }),
      },
    );
    expect(seen).toBe(true);
  });

  test("an aggregate one keeps its errors, each of the realm", () => {
    const e = new AggregateError([new TypeError("a"), new TidyboxError(options)], "both");
    expect(
      new Inside().run(
        `return [e instanceof AggregateError, e.errors instanceof Array, e.errors[0] instanceof TypeError, e.errors[1] instanceof Error, e.errors[1].code].join()`,
        { e },
      ),
    ).toBe("true,true,true,true,broken");
  });

  test("one of a class that nobody knows is of the nearest one that is known", () => {
    class StrangeError extends RangeError {
      override name = "StrangeError";
      readonly details = { deep: [1] };
    }
    expect(
      new Inside().run(
        `return [e instanceof RangeError, e.name, e.details instanceof Object, String(e)].join("|")`,
        { e: new StrangeError("odd") },
      ),
    ).toBe("true|StrangeError|true|StrangeError: odd");
  });

  test("causes come along, also in a circle", () => {
    const a = new Error("a");
    const b = new TypeError("b", { cause: a });
    a.cause = b;
    expect(
      new Inside().run(
        `return a.cause instanceof TypeError && a.cause.cause === a && !Object.keys(a.cause).includes("cause")`,
        { a },
      ),
    ).toBe(true);
  });

  test("the same error is the same each time, and outside again what it was", () => {
    const inside = new Inside();
    const e = new TidyboxError(options);
    expect(inside.realm.enter(e)).toBe(inside.realm.enter(e));
    expect(inside.realm.leave(inside.realm.enter(e))).toBe(e);
  });

  test("frames of this package are left out of the stack", () => {
    const e = new Error("x");
    e.stack = `Error: x\n    at f (/p/node_modules/@tidybox/jest/dist/environment.cjs:1:1)\n    at user.test.ts:1:1`;
    expect(new Inside().run("return e.stack", { e })).toBe("Error: x\n    at user.test.ts:1:1");
  });

  test("what a test throws in a callback comes back to it as it was", async () => {
    const seen = await new Inside().runAsync(
      `class Mine extends Error { extra = {}; }
       const mine = new Mine("x");
       const sync = await box.with(() => { throw mine; }).catch((e) => e === mine);
       const later = await box.with(async () => { throw mine; }).catch((e) => e === mine);
       return [sync, later].join();`,
      { box: new Box() },
    );
    expect(seen).toBe("true,true");
  });
});

describe("values", () => {
  test("are of the realm, whatever they are made of", () => {
    const made = {
      object: { a: { b: 1 } },
      array: [1, [2, { c: 3 }]],
      date: new Date(5),
      pattern: /a(b)/giu,
      map: new Map<unknown, unknown>([
        ["k", { v: [1] }],
        [{ key: 1 }, 2],
      ]),
      set: new Set([{ s: 1 }]),
      none: null,
      nothing: undefined,
      big: 10n,
      bytes: new Uint8Array([1, 2]),
      buffer: Buffer.from("abc"),
      url: new URL("http://x.test/"),
      bare: Object.assign(Object.create(null) as object, { p: 1 }),
      message: "a property like any other",
      stack: "and this one",
    };
    const seen = new Inside().run(
      `const is = (Kind, value) => value instanceof Kind;
       return [
         is(Object, v), is(Object, v.object.a), v.object.a.constructor === Object,
         is(Array, v.array), is(Array, v.array[1]), is(Object, v.array[1][1]),
         is(Date, v.date) && v.date.getTime() === 5,
         is(RegExp, v.pattern) && String(v.pattern) === "/a(b)/giu",
         is(Map, v.map) && is(Array, v.map.get("k").v) && is(Object, [...v.map.keys()][1]),
         is(Set, v.set) && is(Object, [...v.set][0]),
         v.none === null, v.nothing === undefined, v.big === 10n,
         is(Uint8Array, v.bytes) && v.bytes[1] === 2, Buffer.isBuffer(v.buffer), is(URL, v.url),
         is(Object, v.bare) && v.bare.p === 1,
         v.message === "a property like any other", v.stack === "and this one",
       ].map((each, at) => each ? "" : at).join("")`,
      { v: made },
    );
    expect(seen).toBe("");
  });

  test("that contain each other keep doing so", () => {
    const list: unknown[] = [];
    const object: Record<string, unknown> = { list, map: new Map() };
    object["self"] = object;
    list.push(object);
    (object["map"] as Map<string, unknown>).set("up", object);
    const inside = new Inside();
    expect(
      inside.run(`return v.self === v && v.list[0] === v && v.map.get("up") === v`, { v: object }),
    ).toBe(true);
    const left = inside.realm.leave(inside.run(`const a = { list: [] }; a.list.push(a); return a`));
    expect((left as { list: unknown[] }).list[0]).toBe(left);
  });

  test("keep symbols and hidden properties", () => {
    const key = Symbol.for("tidybox.test");
    const v = Object.defineProperty({ [key]: { a: 1 } }, "hidden", { value: [1] });
    expect(
      new Inside().run(
        `return v[Symbol.for("tidybox.test")] instanceof Object && v.hidden instanceof Array && Object.keys(v).length === 0`,
        { v },
      ),
    ).toBe(true);
  });

  test("of a test go out as plain ones, and come back to it as they are", () => {
    const box = new Box();
    const inside = new Inside();
    inside.run(`box.keep({ deep: [{ n: 1 }], [Symbol.for("s")]: 1, fn: () => 1 })`, { box });
    expect(box.received).toEqual({
      deep: [{ n: 1 }],
      [Symbol.for("s")]: 1,
      fn: expect.any(Function) as unknown,
    });
    expect(
      inside.run(
        `class Mine {} const mine = new Mine(); const map = new Map();
         return box.keep(mine) === mine && box.keep(map) === map && box.keep(box) === box`,
        { box },
      ),
    ).toBe(true);
  });
});

describe("objects with a life of their own", () => {
  test("answer promises, objects and errors of the realm", async () => {
    const seen = await new Inside().runAsync(
      `const promise = box.exec(["a"]);
       const result = await promise;
       const error = await box.exec(["fail"]).catch((e) => e);
       return [promise instanceof Promise, result.constructor === Object, result.argv instanceof Array,
         result.bytes instanceof Uint8Array, result.at instanceof Date,
         error instanceof Error, error.name, error.message].join("|")`,
      { box: new Box() },
    );
    expect(seen).toBe("true|true|true|true|true|true|NotFoundError|no such thing\nLook again.");
  });

  test("stay the same object, in and out", async () => {
    const box = new Box();
    const seen = await new Inside().runAsync(
      `return [box === same, box.self() === box, box.exec === box.exec,
         await box.with((given) => given === box), box.keep(box) === box].join()`,
      { box, same: box },
    );
    expect(seen).toBe("true,true,true,true,true");
    expect(box.received).toBe(box);
  });

  test("have their getters, private fields and setters", () => {
    const box = new Box();
    expect(
      new Inside().run(
        `box.count += 2; box.labels.a; return [box.secret, box.count, box.labels instanceof Object, "id" in box, Object.keys(box).includes("id")].join()`,
        { box },
      ),
    ).toBe("kept,2,true,true,true");
    expect(box.count).toBe(2);
  });

  test("are iterated, also asynchronously", async () => {
    const seen = await new Inside().runAsync(
      `const all = [];
       for (const each of box.lines()) all.push(each.line, each instanceof Object);
       for await (const each of box) all.push(each.chunk, each instanceof Object);
       return all.join();`,
      { box: new Box() },
    );
    expect(seen).toBe("1,true,2,true,1,true,2,true");
  });

  test("are disposed of by await using", async () => {
    const box = new Box();
    const seen = await new Inside().runAsync(
      `{ await using mine = box; if (mine.stopped) return "too early"; } return box.stopped`,
      { box },
    );
    expect(seen).toBe(true);
  });

  test("that are streams are read and listened to", async () => {
    const seen = await new Inside().runAsync(
      `const read = [];
       for await (const each of first) read.push(String(each));
       await new Promise((resolve) => second.on("data", (each) => read.push(String(each))).on("end", resolve));
       for await (const each of web) read.push(each);
       return read.join();`,
      {
        first: Readable.from([Buffer.from("a"), Buffer.from("b")]),
        second: Readable.from([Buffer.from("c")]),
        web: ReadableStream.from(["d"]),
      },
    );
    expect(seen).toBe("a,b,c,d");
  });

  test("call a test's callbacks with values of the realm, and get values of their own", async () => {
    const box = new Box();
    const inside = new Inside();
    expect(
      await inside.runAsync(
        `let seen; await box.with((given, options) => { seen = options instanceof Object; return { list: [1] }; }); return seen`,
        { box },
      ),
    ).toBe(true);
    expect(box.received).toEqual({ list: [1] });
    await inside.runAsync(`await box.with(async () => ({ later: [box] }));`, { box });
    expect(box.received).toEqual({ later: [box] });
  });

  test("may be frozen", () => {
    const box = Object.freeze(Object.assign(new Box(), { nested: Object.freeze({ a: 1 }) }));
    expect(
      new Inside().run(
        `return [box.nested instanceof Object, box.tags instanceof Array, box.secret, box instanceof Object, Object.keys(box).includes("nested")].join()`,
        { box },
      ),
    ).toBe("true,true,kept,true,true");
  });

  test("are called by their class where one is printed", () => {
    const inside = new Inside();
    const shown = inspect(inside.realm.enter(new Box()));
    expect(shown).toContain("Box {");
    expect(shown).toContain("id: 'box-1'");
    expect(
      inside.run(`return box.constructor.name + (box instanceof Object)`, { box: new Box() }),
    ).toBe("Boxtrue");
  });
});
