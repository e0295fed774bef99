import { expect, test } from "vitest";
import {
  MAX_BUFFERED_FILE_BYTES,
  MAX_LIFETIME_SECONDS,
  MAX_LEARNED_FILE_CAP_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_TAG_LENGTH,
  MAX_VOLUME_NAME_LENGTH,
  TAG_PATTERN,
  UNARY_FILE_CAP_BYTES,
  VOLUME_NAME_PATTERN,
} from "./limits.ts";

test("has the byte counts that the reference writes out", () => {
  expect(UNARY_FILE_CAP_BYTES).toBe(33_554_432);
  expect(MAX_MESSAGE_BYTES).toBe(104_857_600);
  expect(MAX_LEARNED_FILE_CAP_BYTES).toBe(104_857_600 - 1_048_576);
  expect(MAX_BUFFERED_FILE_BYTES).toBe(268_435_456);
  expect(MAX_LIFETIME_SECONDS).toBe(2_592_000);
});

test.for(["a", "tidybox", ".a", "-a", "__9", "a.b_c-d", "A".repeat(MAX_TAG_LENGTH)])(
  "takes %j as a tag",
  (tag) => {
    expect(tag).toMatch(TAG_PATTERN);
  },
);

test.for(["", "-", "a-", "a.", "a_", "a b", "a\n", "é", "a/b", "a:b"])(
  "refuses %j as a tag",
  (tag) => {
    expect(tag).not.toMatch(TAG_PATTERN);
  },
);

test("takes volume names of 1 to 63 letters, digits, underscores and hyphens", () => {
  expect("work_space-1").toMatch(VOLUME_NAME_PATTERN);
  expect("v".repeat(MAX_VOLUME_NAME_LENGTH)).toMatch(VOLUME_NAME_PATTERN);
  for (const wrong of ["", "v".repeat(MAX_VOLUME_NAME_LENGTH + 1), "a.b", "a/b", "a\n"]) {
    expect(wrong).not.toMatch(VOLUME_NAME_PATTERN);
  }
});
