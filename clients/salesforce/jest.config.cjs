const { jestConfig } = require("@salesforce/sfdx-lwc-jest/config");

module.exports = {
  ...jestConfig,
  testMatch: ["**/lwc/**/__tests__/**/*.test.js"],
  moduleNameMapper: {
    "^lightning/navigation$": "<rootDir>/jest/lightning/navigation",
    "^lightning/platformUtilityBarApi$": "<rootDir>/jest/lightning/platformUtilityBarApi",
  },
  modulePathIgnorePatterns: ["<rootDir>/.converted"],
};
