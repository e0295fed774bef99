/** Stands in, in the bundle, for what dockerode asks for and this engine never calls. */
function unused() {
  throw new Error("this is not part of the bundle of dockerode in @tidybox/local");
}

module.exports = new Proxy(unused, { get: () => unused });
