import { expect, test } from "vitest";
import { routePath } from "./route-path.js";

test.each([
	["orders", "/orders"],
	["/orders", "/orders"],
	["//evil.example/orders/", "/evil.example/orders"],
	["a//b/./../c", "/a/c"],
	["../../etc", "/etc"],
	["", "/"],
	["my orders/größe", "/my%20orders/gr%C3%B6%C3%9Fe"],
	["a%20b", "/a%20b"],
	["orders?tenant=1&x=/", "/orders?tenant=1&x=/"],
	["http://evil.example/", "/http:/evil.example"],
	["a#b\r\nx: y", "/a%23bx:%20y"],
])("the route %j stands for the path %s", (route, path) => {
	expect(routePath(route)).toBe(path);
});
