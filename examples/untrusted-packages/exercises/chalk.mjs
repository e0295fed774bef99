import chalk from "chalk";

export default new chalk.Instance({ level: 1 }).bold.red("stop");
