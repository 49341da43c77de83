// Reads a profile of pprof by a library that knows nothing of soglia: node read.mjs MODULES FILE
// Prints its samples as JSON, each with its frames from the innermost one.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, file] = process.argv.slice(2);
const { Profile } = createRequire(`${modules}/`)("pprof-format");
const profile = Profile.decode(readFileSync(file));
const text = (number) => profile.stringTable.strings[Number(number)];
const functions = new Map(profile.function.map((f) => [Number(f.id), text(f.name)]));
const frames = new Map(
  profile.location.map((l) => [Number(l.id), functions.get(Number(l.line[0].functionId))]),
);
console.log(
  JSON.stringify({
    types: profile.sampleType.map((type) => `${text(type.type)}/${text(type.unit)}`),
    samples: profile.sample.map((sample) => ({
      stack: sample.locationId.map((id) => frames.get(Number(id))),
      values: sample.value.map(Number),
    })),
  }),
);
