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

const BUILT_IN_ERRORS: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

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

  const enter = (value: unknown): unknown => {
    if (!isObject(value) || outsideOf.has(value)) return value;
    const known = insideOf.get(value);
    if (known !== undefined) return known;
    if (typeof value === "function") return keep(value, enterFunction(value as AnyFunction));
    if (isOfThisRealm(value)) return value;
    return enterObject(value);
  };

  const enterObject = (value: object): unknown => {
    switch (tagOf(value)) {
      case "Promise":
        return new Promise((resolve, reject) => {
          (value as Promise<unknown>).then(
            (result) => resolve(enter(result)),
            (error: unknown) => reject(enter(error)),
          );
        });
      case "Error":
        return keep(value, enterError(value as Error));
      case "Date":
        return new Date(Number(value));
      case "Map":
        return new Map(
          [...(value as Map<unknown, unknown>)].map(([key, each]) => [enter(key), enter(each)]),
        );
      case "Set":
        return new Set([...(value as Set<unknown>)].map(enter));
      case "Array":
        return (value as unknown[]).map(enter);
      default:
        return isPlain(value) ? copyInto({}, value) : keep(value, enterInstance(value));
    }
  };

  /** Own properties, hidden ones and symbols too, each of this realm. */
  const copyInto = <T extends object>(target: T, source: object, skip = ""): T => {
    for (const key of Reflect.ownKeys(source)) {
      if (key === skip) continue;
      const descriptor = Reflect.getOwnPropertyDescriptor(source, key);
      if (descriptor === undefined) continue;
      Object.defineProperty(target, key, {
        value: enter(Reflect.get(source, key)),
        writable: true,
        configurable: true,
        enumerable: descriptor.enumerable ?? false,
      });
    }
    return target;
  };

  const enterError = (error: Error): Error => {
    const made = Reflect.construct(Error, [error.message], kindOf(error)) as Error;
    copyInto(made, error, "message");
    if (typeof error.stack === "string") {
      const frames = error.stack.split("\n").filter((line) => !OWN_FRAME.test(line));
      made.stack = frames.join("\n");
    }
    return made;
  };

  const enterFunction = (outside: AnyFunction): AnyFunction => {
    const inside: AnyFunction = function (...args) {
      try {
        return enter(Reflect.apply(outside, leave(this), args.map(leave)));
      } catch (error) {
        throw enter(error);
      }
    };
    return Object.defineProperty(inside, "name", { value: outside.name });
  };

  /** Objects with a life of their own: each access goes through the border. */
  const enterInstance = (outside: object): object =>
    new Proxy(outside, {
      get: (target, key) => enter(Reflect.get(target, key, target)),
      set: (target, key, value) => Reflect.set(target, key, leave(value), target),
      getPrototypeOf: (target) => prototypeFor(target),
    });

  const leave = (value: unknown): unknown => {
    if (!isObject(value)) return value;
    const known = outsideOf.get(value);
    if (known !== undefined) return known;
    if (typeof value === "function") return keepOutside(value as AnyFunction);
    if (Array.isArray(value)) return value.map(leave);
    if (!isPlain(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, leave(each)]));
  };

  /** A test's callback: what it is called with comes in, what it answers goes out. */
  const keepOutside = (inside: AnyFunction): AnyFunction => {
    const outside: AnyFunction = function (...args) {
      return leave(Reflect.apply(inside, enter(this), args.map(enter)));
    };
    keep(outside, inside);
    return outside;
  };

  return { enter, leave };
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Also bytes, streams and signals: Jest's environments share those classes with the outside. */
function isOfThisRealm(value: object): boolean {
  if (ArrayBuffer.isView(value) || tagOf(value) === "ArrayBuffer") return true;
  const maker: unknown = Reflect.get(value, "constructor");
  if (typeof maker !== "function") return false;
  return Reflect.get(globalThis, maker.name) === maker;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The class of this realm for an error of that one: ours by name, else Node's by name. */
function kindOf(error: Error): ErrorConstructor {
  for (let each: unknown = error; isObject(each); each = Object.getPrototypeOf(each)) {
    const maker: unknown = Reflect.get(each, "constructor");
    if (typeof maker !== "function") break;
    const ours: unknown = Reflect.get(errorKinds, maker.name);
    if (typeof ours === "function") return ours as unknown as ErrorConstructor;
    const builtIn = BUILT_IN_ERRORS[maker.name];
    if (builtIn !== undefined) return builtIn;
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
