/** Recordings: a day of each device, or one device to listen to at any time. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Link, useParams } from "wouter-preact";
import { subscribe } from "../../api/events.ts";
import { listRecorded, type RecordedDevice } from "../../api/recordings.ts";
import { formatTime } from "../../parts/format.ts";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { dayOf, type TimeWindow } from "../../parts/time-window.ts";
import { useLoaded } from "../../parts/use-loaded.ts";
import { VirtualList } from "../../parts/virtual-list.tsx";
import { DayPicker } from "./day-picker.tsx";
import { DeviceView } from "./device-view.tsx";
import { Lane } from "./lane.tsx";

const rowPx = 116;
const nothing = () => {};

export function RecordingsView(): JSX.Element {
  const { device } = useParams<{ device?: string }>();
  const version = useRecordingVersion(device);
  const { value: devices, error, reload } = useLoaded(`recorded ${version}`, listRecorded);
  if (error !== undefined && devices === undefined) return <Failure error={error} onRetry={reload} />;
  if (devices === undefined) return <Loading />;
  if (device === undefined) return <Days devices={devices} version={version} />;
  const found = devices.find(({ name }) => name === device);
  if (found === undefined) return <NothingRecorded device={device} />;
  return <DeviceView key={device} recorded={found} version={version} />;
}

/** Grows whenever a recording of the device, or of any, is complete or removed. */
function useRecordingVersion(device: string | undefined): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const settle = settled(() => setVersion((known) => known + 1));
    const end = subscribe({
      path: "api/events?type=recording.closed,recording.removed",
      onEvent: (data) => {
        const { subject } = data as { subject?: unknown };
        if (device === undefined || subject === `recordings/${device}`) settle.call();
      },
    });
    return () => {
      end();
      settle.cancel();
    };
  }, [device]);
  return version;
}

/** Many recordings end at once, where many devices are. */
function settled(action: () => void): { call: () => void; cancel: () => void } {
  const settleMs = 1_000;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const call = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      action();
    }, settleMs);
  };
  return { call, cancel: () => clearTimeout(timer) };
}

function Days({ devices, version }: { devices: readonly RecordedDevice[]; version: number }): JSX.Element {
  const chosenMs = useSignal<number | undefined>(undefined);
  const newestMs = Math.max(0, ...devices.map(({ latest }) => Date.parse(latest)));
  const dayMs = chosenMs.value ?? newestMs;
  const day = useMemo(() => dayOf(dayMs), [dayOf(dayMs).fromMs]);
  if (devices.length === 0) return <NothingYet />;
  return (
    <section aria-label="Recordings">
      <header class="view-head">
        <h1>Recordings</h1>
        <DayPicker dayMs={dayMs} onDay={(ms) => (chosenMs.value = ms)} />
      </header>
      <VirtualList
        label="Devices"
        count={devices.length}
        rowPx={rowPx}
        onRange={nothing}
        renderRow={(index) => <DeviceDay recorded={devices[index]!} day={day} version={version} />}
      />
    </section>
  );
}

interface DeviceDayProps {
  recorded: RecordedDevice;
  day: TimeWindow;
  version: number;
}

function DeviceDay({ recorded: { name, latest }, day, version }: DeviceDayProps): JSX.Element {
  const query = new URLSearchParams({
    from: new Date(day.fromMs).toISOString(),
    to: new Date(day.toMs).toISOString(),
    view: "day",
  });
  return (
    <Link href={`/recordings/${encodeURIComponent(name)}?${query}`} class="device-day">
      <span class="device-day-head">
        <span class="cut device-day-name" dir="auto">
          {name}
        </span>
        <span class="muted figure device-day-last">last audio {formatTime(latest)}</span>
      </span>
      <span class="device-day-lane">
        <Lane key={name} device={name} day={day} version={version} hasRuler />
      </span>
    </Link>
  );
}

function NothingYet(): JSX.Element {
  const command = "bun run client stream --wav data/samples/speech-16k-mono.wav --hwid kitchen --realtime";
  return (
    <>
      <h1 class="spoken">Recordings</h1>
      <Empty icon="recordings" title="Nothing recorded yet" command={command}>
        What devices send is recorded, and is here as soon as the first ten seconds are complete. This sends a
        sample:
      </Empty>
    </>
  );
}

function NothingRecorded({ device }: { device: string }): JSX.Element {
  return (
    <>
      <h1 class="spoken">Recordings</h1>
      <Empty icon="recordings" title="Nothing recorded of this device">
        There is no recording of “<bdi>{device}</bdi>”. <Link href="/recordings">All recordings</Link>
      </Empty>
    </>
  );
}
