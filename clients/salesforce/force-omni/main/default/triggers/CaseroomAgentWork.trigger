/**
 * Tells caseroom that routed work on a case was accepted, or is no longer. It
 * deploys only where Omni-Channel is on.
 */
trigger CaseroomAgentWork on AgentWork(after insert, after update) {
  CaseroomHandler.workChanged(Trigger.new, Trigger.isUpdate ? Trigger.oldMap : null);
}
