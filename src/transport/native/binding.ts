/**
 * What the addon offers, as native/binding/addon.cc declares it. Numbers that are 0 or more are results, below 0 libuv
 * error codes. Injected everywhere, so that a test can pass another one.
 */

/** Everything the hub shares with the addon; both write, as native/transport/hub.hpp says who and when. */
export interface HubTables {
  /** Another one after `useSlab`. */
  slab: Buffer
  readonly rows: Uint32Array
  readonly runs: Uint32Array
  readonly states: Uint32Array
  readonly out: Buffer
  readonly segments: Uint32Array
  readonly control: Uint32Array
  readonly written: Float64Array
  readonly received: Float64Array
  readonly marks: Float64Array
  readonly owners: Uint32Array
}

export interface NativeFormat {
  readonly lengthBytes: number
  readonly lengthOffset: number
  readonly lengthAdjustment: number
  readonly strip: number
  readonly littleEndian: boolean
}

export interface NativeConfig {
  readonly format: NativeFormat
  readonly maxFrameLength: number
  readonly firstByteTimeout: number
  readonly headerTimeout: number
  readonly headerFromAccept: boolean
  readonly bodyTimeout: number
  readonly idleTimeout: number
  readonly writeTimeout: number
  readonly memoryBudget: number
  readonly noDelay: boolean
  readonly keepAlive: boolean
}

export interface NativeAddress {
  readonly host: string
  readonly port: number
  readonly family: 'IPv4' | 'IPv6'
}

/** [code, system error, declared or -1, received, hint, fatal, payload length the hint suspects] */
export type FaultRow = [number, number, number, number, number, boolean, number]

type Slot = number
type Status = number

export interface Binding {
  open(
    tables: HubTables,
    turn: (runs: number, states: number) => void,
    allocate: (size: number) => Buffer,
  ): void
  flush(): void
  /** From now on what is read goes to `tables.slab`, of the same size: at the end of a turn, unless `control` says that more lies in the old one. */
  useSlab(): void
  createConfig(config: NativeConfig): number
  dropConfig(config: number): void
  heldBytes(config: number): number
  /** Counts bytes the owner keeps of what `slot` brought; false: over the budget, and that connection gets the fault. */
  keep(config: number, slot: Slot, bytes: number): boolean
  listenPath(
    config: number,
    number: number,
    path: Uint8Array,
    backlog: number,
    maxConnections: number,
    hold: boolean,
    announce: boolean,
  ): Status
  listenTcp(
    config: number,
    number: number,
    host: string,
    port: number,
    backlog: number,
    maxConnections: number,
    hold: boolean,
    announce: boolean,
  ): Status
  /** `shared`: `fd` stays open when the listener is closed. */
  listenDescriptor(
    config: number,
    number: number,
    fd: number,
    shared: boolean,
    backlog: number,
    maxConnections: number,
    hold: boolean,
    announce: boolean,
  ): Status
  /** A descriptor that listens, the caller's to close. */
  holdPath(path: Uint8Array, backlog: number): number | Status
  /** Another descriptor of the same socket, the caller's to close. */
  duplicate(fd: number): number | Status
  closeListener(number: number): void
  listenerAddress(number: number): NativeAddress | null
  listenerConnections(number: number): number
  /** Slots of its open connections. */
  slotsOf(number: number): Slot[]
  referenceListener(number: number, on: boolean): void
  connectPath(config: number, path: Uint8Array): Slot | Status
  connectTcp(config: number, host: string, port: number): Slot | Status
  pause(slot: Slot): void
  resume(slot: Slot): void
  destroy(slot: Slot): void
  reference(slot: Slot, on: boolean): void
  checkMark(slot: Slot): void
  sendLarge(slot: Slot, headStart: number, headEnd: number, payload: Uint8Array, copy: boolean): void
  takeLarge(slot: Slot): Buffer | null
  fault(slot: Slot): FaultRow | null
  peer(slot: Slot): { pid: number; uid: number; gid: number } | null
  remoteAddress(slot: Slot): NativeAddress | null
  createFormat(format: NativeFormat): object
  scan(
    format: object,
    bytes: Uint8Array,
    from: number,
    to: number,
    limit: number,
    table: Uint32Array,
    maxRows: number,
    result: Float64Array,
  ): void
  counters(): NativeCounters
  errorName(status: Status): [name: string, text: string]
}

/** Live objects of the addon in this thread. All zero when everything is closed. */
export interface NativeCounters {
  readonly connections: number
  readonly largeBytes: number
  readonly largeBlocks: number
  readonly heldPayloads: number
  readonly configs: number
}
