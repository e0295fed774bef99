import { MAX_TAG_LENGTH, TAG_PATTERN } from "@tidybox/protocol";
import { invalidOption } from "./invalid-option.ts";

/**
 * A service would refuse the tag late, or take it and never find it again.
 *
 * @param option how the message calls it
 * @throws ConfigurationError
 */
export function checkTag(tag: string, option = "tags"): void {
  const shown = JSON.stringify(tag);
  if (typeof tag !== "string") throw invalidOption(option, `must be a text, not ${shown}`);
  if (tag.length > MAX_TAG_LENGTH) {
    throw invalidOption(
      option,
      `is ${tag.length} characters long, at most ${MAX_TAG_LENGTH} are allowed: ${shown}`,
    );
  }
  if (!TAG_PATTERN.test(tag)) {
    throw invalidOption(
      option,
      `must be of letters, digits, ".", "_" and "-", a letter or digit last, not ${shown}`,
    );
  }
}

/** @throws ConfigurationError that says which of them is wrong */
export function checkTags(tags: readonly string[], option = "tags"): void {
  if (!Array.isArray(tags))
    throw invalidOption(option, `must be a list of texts, not ${JSON.stringify(tags)}`);
  for (const [index, tag] of tags.entries()) checkTag(tag, `${option}[${index}]`);
}
