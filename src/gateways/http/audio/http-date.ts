/** Dates of HTTP (RFC 9110, section 5.6.7). */

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const month = `(?<month>${months.join("|")})`;
const time = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
const shortDay = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const longDay = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";

/** The preferred form, and the two obsolete ones that recipients must accept. */
const forms = [
  new RegExp(String.raw`^${shortDay}, (?<day>\d\d) ${month} (?<year>\d{4}) ${time} GMT$`),
  new RegExp(String.raw`^${longDay}, (?<day>\d\d)-${month}-(?<year>\d\d) ${time} GMT$`),
  new RegExp(String.raw`^${shortDay} ${month} (?<day>[ \d]\d) ${time} (?<year>\d{4})$`),
];

/** Milliseconds since 1970. Undefined for anything but a date: a condition on it is ignored. */
export function parseHttpDate(text: string | null): number | undefined {
  if (text === null) return undefined;
  for (const form of forms) {
    const fields = form.exec(text.trim())?.groups;
    if (fields !== undefined) return toMs(fields);
  }
  return undefined;
}

export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

function toMs(fields: Record<string, string>): number | undefined {
  const { year = "", month: name = "", day, hour, minute, second } = fields;
  const month = String(months.indexOf(name) + 1).padStart(2, "0");
  const date = `${fullYear(year)}-${month}-${day!.trim().padStart(2, "0")}`;
  const ms = Date.parse(`${date}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A year of two digits that would be more than 50 years ahead is of the last century. */
function fullYear(digits: string): string {
  if (digits.length === 4) return digits;
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + Number(digits);
  return String(year > now + 50 ? year - 100 : year);
}
