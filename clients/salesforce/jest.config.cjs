const { jestConfig } = require("@salesforce/sfdx-lwc-jest/config");

module.exports = {
  ...jestConfig,
  // A machine that does much else starts slowly.
  testTimeout: 120000,
  testMatch: ["**/lwc/**/__tests__/**/*.test.js"],
  moduleNameMapper: {
    "^lightning/navigation$": "<rootDir>/jest/lightning/navigation",
    "^lightning/platformUtilityBarApi$": "<rootDir>/jest/lightning/platformUtilityBarApi",
  },
  modulePathIgnorePatterns: ["<rootDir>/.converted"],
};
