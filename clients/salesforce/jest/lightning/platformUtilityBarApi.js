// sfdx-lwc-jest has no stub of this module.
import { createTestWireAdapter } from "@salesforce/wire-service-jest-util";

export const EnclosingUtilityId = createTestWireAdapter(jest.fn());
export const open = jest.fn(() => Promise.resolve(true));
export const updateUtility = jest.fn(() => Promise.resolve(true));
