/** The tags that a client gives a stream as it uploads it. */
import { maxTagKeyChars, maxTags, maxTagsChars, maxTagValueChars } from "../../../base/limits/streams.ts";

/** It begins with a letter: an index or `__proto__` as a key would break the object of the tags. */
const tagKey = new RegExp(`^[A-Za-z][A-Za-z0-9_.-]{0,${maxTagKeyChars - 1}}$`);

/** What is wrong with the tags; undefined if they may be stored. */
export function faultOfTags(tags: (readonly [string, string])[]): string | undefined {
  if (tags.length > maxTags) return `there are more than ${maxTags} keys`;
  let chars = 0;
  for (const [key, value] of tags) {
    if (!tagKey.test(key)) return "a key is not allowed: use letters, digits, '_', '.' and '-'";
    if (value.length > maxTagValueChars) return `a value is longer than ${maxTagValueChars} characters`;
    chars += key.length + value.length;
  }
  return chars > maxTagsChars ? `there are more than ${maxTagsChars} characters` : undefined;
}
