import { type HostPrograms, lookAtHostPrograms } from "./engines/bubblewrap/host-programs.ts";
import { findHostTools } from "./engines/host-tools.ts";
import type { EngineChoice } from "./engines/open-engine.ts";
import type { LocalNotice, NoticeListener } from "./notice.ts";
import type { Identity } from "./privileges/identity.ts";
import { removeLeftovers } from "./state-folder/leftovers.ts";
import { openWorkplace, type Workplace } from "./workplace.ts";

export interface PrepareOptions {
  /** As the service will be told. Default false. */
  readonly keepRoot?: boolean;
  /** As the service will be told. */
  readonly label?: string | undefined;
  /** As the service will be told: what only `bubblewrap` needs is not done for others. Default `auto`. */
  readonly engine?: EngineChoice | undefined;
  /** The account to give root up for. Default: one that nobody has. */
  readonly identity?: Identity | undefined;
}

/** What a local service needs of the machine, in the making or made. */
export interface PreparedLocalService {
  /** Looks once. */
  hostPrograms(): Promise<HostPrograms>;
  /** Resolves when nothing more is done as whoever started this process; says what is to be said. */
  workplace(onNotice: NoticeListener): Promise<Workplace>;
  /** For what has not become a service. Safe to call twice, and after the service's own end. */
  close(): Promise<void>;
}

/**
 * Begins what takes longest in the start of a local service, while its caller still loads the rest:
 * the helper process, the private folder, what lost services have left. For the option `prepared` of
 * `startLocalService`, which closes it when it fails; whoever does not get there closes it.
 *
 * What goes wrong is told by `startLocalService`.
 */
export function prepareLocalService({
  keepRoot = false,
  label,
  engine = "auto",
  identity,
}: PrepareOptions): PreparedLocalService {
  const notices: LocalNotice[] = [];
  const onNotice = (notice: LocalNotice): void => void notices.push(notice);
  const opening = findHostTools().then((tools) =>
    openWorkplace({ keepRoot, tools, label, onNotice, identity }),
  );
  let looking: Promise<HostPrograms> | undefined;
  const hostPrograms = (): Promise<HostPrograms> => (looking ??= lookAtHostPrograms());
  if (engine === "auto" || engine === "bubblewrap") void hostPrograms();
  const removing = removeLeftovers(onNotice);
  // Whoever asks for the workplace hears of it.
  for (const begun of [opening, removing]) begun.catch(() => {});
  return {
    hostPrograms,
    workplace: async (tell) => {
      // What is left of others is done when we go on: it too needs whoever started this process.
      const [workplace] = await Promise.all([opening, removing]);
      for (const notice of notices.splice(0)) tell(notice);
      return workplace;
    },
    close: async () => {
      const workplace = await opening.catch(() => undefined);
      await workplace?.close();
    },
  };
}
