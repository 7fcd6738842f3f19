trigger AgentOmniChannel on AgentWork (after update, after insert) {
  if (Trigger.isUpdate) {
    for (AgentWork a : Trigger.new) {
      AgentWork oldCase = Trigger.oldMap.get(a.Id);
      if (a.Status == 'Opened' && String.valueOf(a.OwnerId).substring(0, 3) == '005') {
        String[] data = new String[2];
        data[0] = a.WorkItemId;
        data[1] = a.OwnerId;
        TIMCallouts.joinGroup(data);
      }
    }
  }
}
