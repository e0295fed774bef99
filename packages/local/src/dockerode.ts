/** Docker's API client, in a file of its own: nobody pays for it who has not asked for Docker. */
export { default as Docker } from "dockerode";
