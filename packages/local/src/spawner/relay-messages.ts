/** Ports of a sandbox's own network that are to be reached from the host's loopback. */
export interface RelayCommand {
  /** Host path of nsenter. */
  readonly nsenter: string;
  /** Pid, seen from the host, of a process in the sandbox. */
  readonly innerPid: number;
  readonly ports: readonly number[];
}

/** What the helper asks of a relay; a listening socket of the host comes with it. */
export interface RelayRequest {
  readonly type: "relay";
  readonly port: number;
}

/** The socket has arrived, and is answered from now on. */
export interface RelayAnswer {
  readonly type: "relaying";
  readonly port: number;
}
