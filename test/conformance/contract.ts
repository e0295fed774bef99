import type { Bed, BedName } from "./beds.ts";

/** What a case is given: a service to talk to, and what removes what the case has made. */
export interface CaseContext {
  readonly bed: Bed;
  /** On every sandbox of this case, which `Bed.start` gives them; they are purged by it afterwards. */
  readonly tag: string;
}

export type CaseBody = (context: CaseContext) => Promise<void>;

/** Why an engine cannot keep a sentence, and what it does instead, which is checked in its place. */
export interface Exception {
  /** For the table of what each engine cannot do; a half sentence, without a full stop. */
  readonly cannot: string;
  /** Passes when the engine says so itself: a refusal, a notice, another honest answer. */
  readonly instead: CaseBody;
}

/** One sentence of the reference's behaviour contract, and what shows that it is kept. */
export interface Sentence {
  /** Of the reference, such as "3.4". */
  readonly section: string;
  /** The sentence in our own words. */
  readonly says: string;
  readonly body: CaseBody;
  readonly unless: Readonly<Partial<Record<BedName, Exception>>>;
  /** Default 30. */
  readonly timeoutSeconds: number;
}

export interface SentenceOptions {
  readonly unless?: Readonly<Partial<Record<BedName, Exception>>>;
  readonly timeoutSeconds?: number;
}

export type Says = (says: string, body: CaseBody, options?: SentenceOptions) => void;

/** The sentences of one section of the reference. Throws when one stands there twice. */
export function section(number: string, write: (says: Says) => void): readonly Sentence[] {
  const sentences = new Map<string, Sentence>();
  write((says, body, { unless = {}, timeoutSeconds = 30 } = {}) => {
    if (sentences.has(says)) throw new Error(`section ${number} says twice that ${says}`);
    sentences.set(says, { section: number, says, body, unless, timeoutSeconds });
  });
  return [...sentences.values()];
}
