trigger AssignAgent on Case (after update, after delete) {
  if (Trigger.isUpdate) {
    for (Case a : Trigger.new) {
      Case oldCase = Trigger.oldMap.get(a.Id);
      if (String.valueOf(a.OwnerId).substring(0, 3) == '005') {
        String[] data = new String[2];
        data[0] = a.Id;
        data[1] = a.OwnerId;
        TimCallouts.joinGroup(data);
      }
      if (String.valueOf(oldCase.OwnerId).substring(0, 3) == '005' && oldCase.OwnerId != a.OwnerId
          && String.valueOf(a.OwnerId).substring(0, 3) == '005') {
        System.debug('Old agent leaves ' + a.Id);
        String[] removeData = new String[2];
        removeData[0] = a.Id;
        removeData[1] = oldCase.OwnerId;
        TIMCallouts.leaveGroup(removeData);
      }
    }
  }
  if (Trigger.isDelete) {
    for (Case a : Trigger.old) {
      if (String.valueOf(a.OwnerId).substring(0, 3) == '005') {
        String[] data = new String[1];
        data[0] = a.Id;
        TimCallouts.deleteGroup(data);
      }
    }
  }
}
