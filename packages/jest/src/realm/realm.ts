import * as errorKinds from "@tidybox/client/errors";

/**
 * The border between the realm of a test file and Node's own, where the worker's connection and
 * session live. Built inside, so that what a test is given is of its own realm: `instanceof Error`
 * and `toStrictEqual` hold.
 */
export interface Realm {
  /** A value from outside as a test sees it. */
  enter(value: unknown): unknown;
  /** A value of a test as the code outside sees it. */
  leave(value: unknown): unknown;
}

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/** Its frames are of no use to anybody who reads a stack. */
const OWN_FRAME = /@tidybox[\\/]jest[\\/]dist[\\/]|[\\/]packages[\\/]jest[\\/]dist[\\/]/;

/** Of a package, of Node, or of no place at all. */
const FOREIGN_FRAME = /[\\/]node_modules[\\/]|\bnode:|<anonymous>|at native\b/;

const BUILT_IN_ERRORS: Readonly<Record<string, unknown>> = {
  AggregateError,
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Objects that one crossing has copied, which may contain each other. */
type Copies = Map<object, object>;

/** Makes the border of the realm that this code runs in. */
export function createRealm(): Realm {
  /** Objects and functions of the outside, as they are inside. */
  const insideOf = new WeakMap<object, object>();
  /** And back. */
  const outsideOf = new WeakMap<object, object>();

  const keep = <T extends object>(outside: object, inside: T): T => {
    insideOf.set(outside, inside);
    outsideOf.set(inside, outside);
    return inside;
  };

  const enter = (value: unknown, copies?: Copies): unknown => {
    if (!isObject(value) || outsideOf.has(value)) return value;
    const known = insideOf.get(value) ?? copies?.get(value);
    if (known !== undefined) return known;
    if (isOfThisRealm(value)) return value;
    if (typeof value === "function") return keep(value, enterFunction(value as AnyFunction));
    return enterObject(value, copies ?? new Map());
  };

  const enterObject = (value: object, copies: Copies): unknown => {
    const copy = <T extends object>(made: T): T => {
      copies.set(value, made);
      return made;
    };
    switch (tagOf(value)) {
      case "Promise":
        return new Promise((resolve, reject) => {
          (value as Promise<unknown>).then(
            (result) => resolve(enter(result)),
            (error: unknown) => reject(enter(error)),
          );
        });
      case "Error":
        return enterError(value as Error, copies);
      case "Date":
        return new Date(Number(value));
      case "RegExp": {
        const { source, flags } = value as RegExp;
        return new RegExp(source, flags);
      }
      case "Map": {
        const made = copy(new Map<unknown, unknown>());
        for (const [key, each] of value as Map<unknown, unknown>)
          made.set(enter(key, copies), enter(each, copies));
        return made;
      }
      case "Set": {
        const made = copy(new Set<unknown>());
        for (const each of value as Set<unknown>) made.add(enter(each, copies));
        return made;
      }
      case "Array": {
        const made = copy<unknown[]>([]);
        for (const each of value as unknown[]) made.push(enter(each, copies));
        return made;
      }
      default:
        return isPlain(value)
          ? copyInto(copy({}), value, copies)
          : keep(value, enterInstance(value));
    }
  };

  /** Own properties, hidden ones and symbols too, each of this realm. */
  const copyInto = <T extends object>(
    target: T,
    source: object,
    copies: Copies,
    except: readonly PropertyKey[] = [],
  ): T => {
    for (const key of Reflect.ownKeys(source)) {
      if (except.includes(key)) continue;
      const descriptor = Reflect.getOwnPropertyDescriptor(source, key);
      if (descriptor === undefined) continue;
      Object.defineProperty(target, key, {
        value: enter(Reflect.get(source, key), copies),
        writable: true,
        configurable: true,
        enumerable: descriptor.enumerable ?? false,
      });
    }
    return target;
  };

  const enterError = (error: Error, copies: Copies): Error => {
    const made = Reflect.construct(Error, [error.message], kindOf(error)) as Error;
    // Before its cause, which may lead back to it.
    keep(error, made);
    copyInto(made, error, copies, ["message", "stack"]);
    if (typeof error.stack === "string") {
      const frames = error.stack.split("\n").filter((line) => !OWN_FRAME.test(line));
      made.stack = frames.join("\n");
    }
    return made;
  };

  const enterFunction = (outside: AnyFunction): AnyFunction => {
    const inside: AnyFunction = function (...args) {
      const call: { stack?: string } = {};
      Error.captureStackTrace(call, inside);
      try {
        const result = enter(
          Reflect.apply(
            outside,
            leave(this),
            args.map((each) => leave(each)),
          ),
        );
        if (!(result instanceof Promise)) return result;
        return result.catch((error: unknown) => {
          throw atCall(error, call.stack);
        });
      } catch (error) {
        throw enter(error);
      }
    };
    return Object.defineProperty(inside, "name", { value: outside.name });
  };

  /** Objects with a life of their own: each access goes through the border. */
  const enterInstance = (outside: object): object =>
    new Proxy(proxyable(outside), {
      get: (_, key) => enter(Reflect.get(outside, key, outside)),
      set: (_, key, value) => Reflect.set(outside, key, leave(value), outside),
      getPrototypeOf: () => prototypeFor(outside),
    });

  const leave = (value: unknown, copies: Copies = new Map()): unknown => {
    if (!isObject(value)) return value;
    const known = outsideOf.get(value) ?? copies.get(value);
    if (known !== undefined) return known;
    if (typeof value === "function") return keepOutside(value as AnyFunction);
    if (Array.isArray(value)) {
      const made: unknown[] = [];
      copies.set(value, made);
      for (const each of value) made.push(leave(each, copies));
      return made;
    }
    // What a callback has promised goes out as what it answers does.
    if (value instanceof Promise) return value.then((result) => leave(result));
    if (!isPlain(value)) return value;
    const made: Record<PropertyKey, unknown> = {};
    copies.set(value, made);
    for (const key of Reflect.ownKeys(value)) {
      if (Reflect.getOwnPropertyDescriptor(value, key)?.enumerable === true)
        made[key] = leave(Reflect.get(value, key), copies);
    }
    return made;
  };

  /** A test's callback: what it is called with comes in, what it answers goes out. */
  const keepOutside = (inside: AnyFunction): AnyFunction => {
    const outside: AnyFunction = function (...args) {
      return leave(
        Reflect.apply(
          inside,
          enter(this),
          args.map((each) => enter(each)),
        ),
      );
    };
    keep(outside, inside);
    return outside;
  };

  return { enter: (value) => enter(value), leave: (value) => leave(value) };
}

/** A proxy may not show other values than those of a frozen target. */
function proxyable(outside: object): object {
  if (Object.isExtensible(outside)) return outside;
  const shown = Object.create(Object.getPrototypeOf(outside) as object | null) as object;
  return Object.assign(shown, outside);
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Also bytes, streams and signals: Jest's environments share those classes with the outside. */
function isOfThisRealm(value: object): boolean {
  if (value instanceof Object || ArrayBuffer.isView(value) || tagOf(value) === "ArrayBuffer")
    return true;
  const maker: unknown = Reflect.get(value, "constructor");
  if (typeof maker !== "function") return false;
  return Reflect.get(globalThis, maker.name) === maker;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Points at the call that failed an error whose own frames are all of code that is not the test's. */
function atCall(error: unknown, callStack: string | undefined): unknown {
  if (!(error instanceof Error) || callStack === undefined) return error;
  const frames = (stack: string): readonly string[] =>
    stack.split("\n").filter((line) => /^\s+at /.test(line));
  if (frames(error.stack ?? "").some((line) => !FOREIGN_FRAME.test(line))) return error;
  error.stack = [`${error.name}: ${error.message}`, ...frames(callStack)].join("\n");
  return error;
}

/** The class of this realm for an error of that one: ours by name, else Node's by name. */
function kindOf(error: Error): ErrorConstructor {
  for (let each: unknown = error; isObject(each); each = Object.getPrototypeOf(each)) {
    const maker: unknown = Reflect.get(each, "constructor");
    if (typeof maker !== "function") break;
    const ours: unknown = Reflect.get(errorKinds, maker.name);
    if (typeof ours === "function") return ours as unknown as ErrorConstructor;
    const builtIn = BUILT_IN_ERRORS[maker.name];
    if (builtIn !== undefined) return builtIn as ErrorConstructor;
  }
  return Error;
}

const prototypes = new Map<string, object>();

/** An object of this realm whose class has the same name, for whoever prints or compares it. */
function prototypeFor(outside: object): object {
  const maker: unknown = Reflect.get(outside, "constructor");
  const name = typeof maker === "function" ? maker.name : "Object";
  const known = prototypes.get(name);
  if (known !== undefined) return known;
  const made = Object.create(Object.prototype) as object;
  Object.defineProperty(made, "constructor", {
    value: Object.defineProperty(function () {}, "name", { value: name }),
    enumerable: false,
  });
  prototypes.set(name, made);
  return made;
}
