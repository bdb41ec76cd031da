// Preloaded into a third-party server that would listen on every interface and name the port it was
// told instead of the one it got: keeps it on loopback and says the real one.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  this.once("listening", () => console.error(`on loopback port ${this.address().port}`));
  return listen.call(this, { port: Number(port), host: "127.0.0.1" }, ...rest.filter((one) => typeof one === "function"));
};
