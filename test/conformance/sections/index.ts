import type { Sentence } from "../contract.ts";
import { authentication } from "./authentication.ts";
import { checklist } from "./checklist.ts";
import { creating } from "./create.ts";
import { deletingWithSnapshots } from "./delete-with-snapshots.ts";
import { deleting } from "./delete.ts";
import { errorCarrier } from "./error-carrier.ts";
import { errorCodes } from "./error-codes.ts";
import { gettingAndListing } from "./get-and-list.ts";
import { lifecycle } from "./lifecycle.ts";
import { paging } from "./paging.ts";
import { purging } from "./purge.ts";
import { reasons } from "./reasons.ts";
import { retries } from "./retries.ts";
import { transport } from "./transport.ts";

/** In the order of the reference. */
export const sentences: readonly Sentence[] = [
  ...lifecycle,
  ...creating,
  ...gettingAndListing,
  ...paging,
  ...deleting,
  ...deletingWithSnapshots,
  ...purging,
  ...authentication,
  ...transport,
  ...errorCarrier,
  ...errorCodes,
  ...reasons,
  ...retries,
  ...checklist,
];
