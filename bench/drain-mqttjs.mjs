// MQTT.js with its usual listener.
import mqtt from "mqtt";
import { report } from "./child.mjs";

const [port, clientId, count] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];
const done = report();
let seen = 0;
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId, clean: false });
client.on("message", () => {
	if (++seen !== count) return;
	done(count);
	setImmediate(() => client.end());
});
