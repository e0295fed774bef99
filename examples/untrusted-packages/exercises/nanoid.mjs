import { customAlphabet, nanoid } from "nanoid";

const ids = Array.from({ length: 1000 }, () => nanoid());
export default {
  different: new Set(ids).size,
  wellFormed: ids.every((id) => /^[\w-]{21}$/.test(id)),
  ownAlphabet: /^[ab]{12}$/.test(customAlphabet("ab", 12)()),
};
