// One inference on rp2040js, a simulator of the RP2040 by others: instructions and cycles from the first instruction of
// the network function to its return. benchmarks/rp2040.py writes what it reads; cycles are those that it counts itself.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const job = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const { RP2040 } = createRequire(process.cwd() + "/")("rp2040js");
const FLASH = 0x10000000;
const RAM = 0x20000000;
const mcu = new RP2040();
const core = mcu.core;
for (const { file, address } of job.segments) {
  if (address >= RAM) mcu.sram.set(readFileSync(file), address - RAM);
  else mcu.flash.set(readFileSync(file), address - FLASH);
}
mcu.sram.set(readFileSync(job.input), job.input_at - RAM);
core.registers[0] = job.arena_at;
core.registers[1] = job.input_at;
core.registers[2] = job.output_at;
core.registers[13] = job.stack_at;
core.registers[14] = job.return_at | 1;
core.PC = job.entry & ~1;
core.cycles = 0;
let instructions = 0;
while (core.PC >>> 0 !== job.return_at) {
  core.executeInstruction();
  instructions += 1;
}
const status = core.registers[0];
writeFileSync(job.output, mcu.sram.subarray(job.output_at - RAM, job.output_at - RAM + job.output_bytes));
console.log(JSON.stringify({ instructions, cycles: core.cycles, status }));
