// The stub of sfdx-lwc-jest does not remember where it was sent.
import { createTestWireAdapter } from "@salesforce/wire-service-jest-util";

export const CurrentPageReference = createTestWireAdapter(jest.fn());

export const navigate = jest.fn();

const Navigate = Symbol("Navigate");

export const NavigationMixin = (Base) =>
  class extends Base {
    [Navigate](page) {
      navigate(page);
    }
  };
NavigationMixin.Navigate = Navigate;
