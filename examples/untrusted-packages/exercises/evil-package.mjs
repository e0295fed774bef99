import { loot } from "evil-package";

export default Object.keys(await loot).length;
