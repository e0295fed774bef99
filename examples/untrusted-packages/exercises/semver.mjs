import semver from "semver";

export default {
  newest: semver.maxSatisfying(["1.2.3", "1.9.0", "2.0.0-rc.1", "2.0.0"], "^1.2.0"),
  sorted: semver.sort(["1.0.0", "1.0.0-rc.10", "1.0.0-rc.9", "0.9.9"]),
};
