/** Times below a curve, in the user's zone: the clock, and the day instead where a new one begins, or days stand apart. */

const daySeconds = 24 * 3_600;

/** `times`: in seconds since 1970, at equal distances. */
export function axisTimes(times: readonly number[]): string[] {
  const step = times.length < 2 ? 0 : times[1]! - times[0]!;
  const clock = step > 0 && step < 60 ? exactClock : shortClock;
  return times.map((seconds, index) => {
    const ms = seconds * 1000;
    const isNewDay = index > 0 && dayOf(ms) !== dayOf(times[index - 1]! * 1000);
    return step >= daySeconds || isNewDay ? day.format(ms) : clock.format(ms);
  });
}

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const shortClock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const exactClock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });

function dayOf(ms: number): string {
  return new Date(ms).toDateString();
}
