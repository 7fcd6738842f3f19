import { h, render } from "preact";
import { RoomStore } from "../../src/chat/room";
import { english } from "../../src/i18n/i18n";
import { ChatView } from "../../src/ui/chatview";
import { adoptChatStyles } from "../../src/ui/conversation";
import { MemoryChat, message } from "../unit/fakes";

/** A conversation of some length on an empty page, and one message more at a time. */
async function start(length: number): Promise<() => Promise<void>> {
  const chat = new MemoryChat();
  chat.list = Array.from({ length }, (_, i) => said(i + 1));
  chat.pageSize = Math.max(1, length);
  chat.say("connection", "online");
  const store = new RoomStore(chat, "ZENDESK#1", "dana");
  await store.open();
  const box = document.createElement("div");
  box.className = "cr-root";
  box.style.cssText = "display: flex; flex-direction: column; width: 380px; height: 560px";
  document.body.replaceChildren(box);
  adoptChatStyles(document);
  render(h(ChatView, { store, locale: english, viewer: "customer" }), box);
  await frames();
  let seq = length;
  return async () => {
    seq++;
    chat.say("message", { groupId: "ZENDESK#1", message: said(seq) });
    await frames();
  };
}

function said(seq: number) {
  const text = seq % 7 === 0 ? `See https://shop.example/lamps/${seq}.` : `Message ${seq} of many.`;
  return message(seq, { text, time: 1.7e12 + seq * 60_000, mine: seq % 2 === 0 });
}

/** All that follows from a change has been drawn. */
async function frames(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
}

Object.assign(globalThis, { longLog: start });
