/**
 * Tells caseroom which of its cases changed. Cascade deletes and children that a
 * merge moves fire no trigger: caseroom's own reconcile sees those.
 */
trigger CaseroomCase on Case(after insert, after update, after delete, after undelete) {
  CaseroomHandler.casesChanged(Trigger.isDelete ? Trigger.old : Trigger.new, Trigger.isUpdate ? Trigger.oldMap : null);
}
