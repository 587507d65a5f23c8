import net from "node:net";

/** One call a connection, all at once; resolves with what each was told. */
export function callAll(port, count, from = 0) {
	return Promise.all(
		Array.from({ length: count }, (_, index) => {
			const body = JSON.stringify({ operation: "create", data: `c-${from + index}` });
			return new Promise((resolve) => {
				const socket = net.connect(port, "127.0.0.1");
				let [text, connected] = ["", false];
				socket.on("connect", () => {
					connected = true;
					socket.write(
						`POST /v1.0/bindings/bench HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
					);
				});
				socket.on("data", (chunk) => {
					text += chunk.latin1Slice();
				});
				socket.setTimeout(30_000, () => socket.destroy());
				socket.on("error", () => {});
				socket.on("close", () => {
					if (text.startsWith("HTTP/1.1 204")) resolve("success");
					else if (text.startsWith("HTTP/1.1 503")) resolve("503");
					else resolve(/not sent|outcome unknown/.exec(text)?.[0] ?? (connected ? "no answer" : "no connection"));
				});
			});
		}),
	);
}
