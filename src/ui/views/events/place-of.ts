/** The place in the page of what an event is about; undefined if it has none. */
export function placeOf(subject: string): string | undefined {
  const slash = subject.indexOf("/");
  const [folder, name] = [subject.slice(0, slash), encodeURIComponent(subject.slice(slash + 1))];
  if (slash < 0) return subject === "storage" ? "/storage" : undefined;
  if (folder === "devices") return "/devices";
  return folder === "streams" || folder === "recordings" ? `/${folder}/${name}` : undefined;
}
