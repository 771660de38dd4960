/** Light or dark: as the system has it, until the user chooses. */
import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const key = "wavecache-theme";
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const system = signal<Theme>(systemTheme());
const chosen = signal<Theme | undefined>(storedTheme());

export function currentTheme(): Theme {
  return chosen.value ?? system.value;
}

export function toggleTheme(): void {
  const next = currentTheme() === "dark" ? "light" : "dark";
  chosen.value = next === system.value ? undefined : next;
  if (chosen.value === undefined) localStorage.removeItem(key);
  else localStorage.setItem(key, chosen.value);
}

/** Keeps the document in the current theme. To be called once. */
export function applyTheme(): void {
  systemDark.addEventListener("change", () => (system.value = systemTheme()));
  effect(() => void (document.documentElement.dataset["theme"] = currentTheme()));
}

function systemTheme(): Theme {
  return systemDark.matches ? "dark" : "light";
}

function storedTheme(): Theme | undefined {
  const stored = localStorage.getItem(key);
  return stored === "light" || stored === "dark" ? stored : undefined;
}
