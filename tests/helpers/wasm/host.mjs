// Runs a test program: node host.mjs PROGRAM [ARGUMENT]; its standard input, output and exit code are this process's.
import { readFileSync, writeSync } from "node:fs";

const [program, ...words] = process.argv.slice(2);
const given = words.length ? readFileSync(0) : new Uint8Array();
const written = [];
let taken = 0;

const bytes = (from, count) => new Uint8Array(memory.buffer, from, count);
const host = {
    put: (from, count) => void written.push(bytes(from, count).slice()),
    get: (to, count) => {
        const some = given.subarray(taken, taken + count);
        bytes(to, some.length).set(some);
        taken += some.length;
        return some.length;
    },
};

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(program)), { host });
const { memory } = exports;

// The words of the command line, and pointers to them, on a page of their own.
const page = memory.grow(1) * 65536;
const pointers = [];
let free = page + 1024;
for (const word of [program, ...words]) {
    const text = new TextEncoder().encode(`${word}\0`);
    bytes(free, text.length).set(text);
    pointers.push(free);
    free += text.length;
}
new Uint32Array(memory.buffer, page, pointers.length).set(pointers);

process.exitCode = exports.program(pointers.length, page);
const all = Buffer.concat(written);
for (let sent = 0; sent < all.length; ) {
    sent += writeSync(1, all, sent);
}
