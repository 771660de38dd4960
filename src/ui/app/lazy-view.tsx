/** Views whose scripts are loaded when they are first shown, so that the first one need not wait for the others. */
import type { ComponentType, JSX } from "preact";
import { ApiError } from "../api/request.ts";
import { Failure, Loading } from "../parts/states.tsx";
import { useLoaded } from "../parts/use-loaded.ts";
import { checkConnection } from "./connection.ts";

export interface LazyView {
  component: ComponentType;
  /** Loads the script ahead, for a user who is about to go there. Failures are for whoever shows the view. */
  prepare: () => void;
}

export function lazyView(importView: () => Promise<ComponentType>): LazyView {
  let Found: ComponentType | undefined;
  const load = async () => {
    Found ??= await importView().catch(explain);
  };
  const component = (): JSX.Element => {
    const { error } = useLoaded("script", load);
    if (Found !== undefined) return <Found />;
    // A browser may remember that a script was not there, until the page is loaded again.
    return error === undefined ? <Loading /> : <Failure error={error} onRetry={() => location.reload()} />;
  };
  return { component, prepare: () => void load().catch(ignoreUntilShown) };
}

/** Another version of the server has scripts of other names. */
async function explain(cause: unknown): Promise<never> {
  await checkConnection();
  throw new ApiError(
    "VIEW_MISSING",
    "this view cannot be loaded",
    `The server may be a newer one. ${String(cause)}`,
  );
}

function ignoreUntilShown(): void {}
