/** Loads something of the server, and again whenever its key changes or the server came back. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { reconnections } from "../app/connection.ts";

export interface Loaded<T> {
  /** What was loaded last; it stays while something newer is loaded. */
  value: T | undefined;
  error: unknown;
  isLoading: boolean;
  reload: () => void;
}

export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, "reload">>(nothing);
  const [asked, setAsked] = useState(0);
  const came = reconnections.value;
  useEffect(() => {
    const ending = new AbortController();
    setState((known) => ({ ...known, isLoading: true }));
    load(ending.signal).then(
      (value) => !ending.signal.aborted && setState({ value, error: undefined, isLoading: false }),
      (error: unknown) =>
        !ending.signal.aborted && setState(({ value }) => ({ value, error, isLoading: false })),
    );
    return () => ending.abort();
    // `load` is a new function at each render; `key` says when it would load something else.
  }, [key, asked, came]);
  const reload = useCallback(() => setAsked((count) => count + 1), []);
  return { ...state, reload };
}

const nothing = { value: undefined, error: undefined, isLoading: true };
