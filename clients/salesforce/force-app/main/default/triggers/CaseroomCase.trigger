/**
 * Tells caseroom which of its cases changed. Cascade deletes and children that a
 * merge moves fire no trigger: caseroom's own reconcile sees those.
 */
trigger CaseroomCase on Case(before insert, after insert, after update, after delete, after undelete) {
  CaseroomHandler.onCases(Trigger.operationType, Trigger.new ?? Trigger.old, Trigger.oldMap);
}
