/**
 * Each upload belongs to one tab: two that send the same stream would take it over from each other. Browsers have locks
 * only on pages with TLS or of this machine; on others every tab owns what it finds.
 */

/** The function that gives an upload up; undefined if another tab has it. */
export async function lockUpload(streamId: string): Promise<(() => void) | undefined> {
  if (!("locks" in navigator)) return () => undefined;
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  return await new Promise((resolve, reject) => {
    navigator.locks
      .request(`wavecache-upload-${streamId}`, { ifAvailable: true }, async (lock) => {
        resolve(lock === null ? undefined : release);
        // The lock is held until this ends, or the tab is closed.
        if (lock !== null) await released;
      })
      .catch(reject);
  });
}
