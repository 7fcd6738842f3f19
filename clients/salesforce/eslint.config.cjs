const lwc = require("@salesforce/eslint-config-lwc");

const names = ["afterEach", "beforeEach", "describe", "expect", "it", "jest", "require"];

module.exports = [
  ...lwc.configs.recommended.map((config) => ({ ...config, files: ["force-*/**/lwc/**/*.js"] })),
  {
    // A test drives the wires itself, and waits for one turn after another.
    files: ["force-*/**/__tests__/**"],
    languageOptions: { globals: Object.fromEntries(names.map((name) => [name, "readonly"])) },
    rules: { "@lwc/lwc/no-unexpected-wire-adapter-usages": "off", "no-await-in-loop": "off" },
  },
];
