import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Locale } from "../i18n/i18n";
import type { Reply } from "./desk";
import { panelTexts } from "./paneltexts";

export interface RepliesProps {
  list(): Promise<Reply[]>;
  fill(reply: Reply): Promise<string>;
  insert(text: string): void;
  locale: Locale;
}

/** The desk's ready-made answers: a button, and the list that it opens over the conversation. */
export function Replies(props: RepliesProps) {
  const { t } = props.locale;
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        ref={button}
        type="button"
        class="cr-icon"
        aria-label={t("quickReplies")}
        title={t("quickReplies")}
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <svg width="22" height="22" viewBox="0 0 24 24" aria-hidden="true" fill="currentColor">
          <path d="M13 2 4 14h6l-1 8 9-12h-6z" />
        </svg>
      </button>
      {open && (
        <Chooser
          {...props}
          close={() => {
            setOpen(false);
            button.current?.focus();
          }}
          left={() => setOpen(false)}
        />
      )}
    </>
  );
}

function Chooser({
  list,
  fill,
  insert,
  close,
  left,
  locale,
}: RepliesProps & { close: () => void; left: () => void }) {
  const { t, lang } = locale;
  const texts = panelTexts(lang);
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const [all, setAll] = useState<Reply[]>();
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const [problem, setProblem] = useState("");
  // What is typed right after the click goes into the search.
  useLayoutEffect(() => input.current?.focus(), []);
  useEffect(() => {
    let over = false;
    list().then(
      (replies) => over || setAll(replies),
      () => over || setProblem(texts.notRead),
    );
    return () => {
      over = true;
    };
  }, []);
  const found = (all ?? []).filter((r) => matches(r, words, lang));
  const chosen = found[Math.min(at, found.length - 1)];
  useEffect(() => {
    box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  const take = async (reply: Reply | undefined) => {
    if (!reply) return;
    setProblem("");
    try {
      const text = await fill(reply);
      left();
      insert(text);
    } catch {
      setProblem(texts.notFilled);
    }
  };
  const step = (by: number) => {
    if (found.length > 0)
      setAt((Math.min(at, found.length - 1) + by + found.length) % found.length);
  };
  const empty =
    all === undefined
      ? problem
        ? ""
        : t("loading")
      : all.length === 0
        ? texts.none
        : texts.noMatch;
  return (
    <div
      ref={box}
      class="cp-replies"
      role="dialog"
      aria-label={t("quickReplies")}
      onFocusOut={(e) => {
        const to = e.relatedTarget;
        if (to instanceof Node && !e.currentTarget.contains(to)) left();
      }}
      onKeyDown={(e) => {
        if (e.key === "Escape") close();
        else if (e.key === "ArrowDown") step(1);
        else if (e.key === "ArrowUp") step(-1);
        else if (e.key === "Enter" && !e.isComposing) void take(chosen);
        else return;
        e.preventDefault();
        e.stopPropagation();
      }}
    >
      <div
        id={`${id}-list`}
        class="cp-replies-list"
        role="listbox"
        aria-label={t("quickReplies")}
        hidden={found.length === 0}
      >
        {found.map((r, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the focus and takes the keys
          // biome-ignore lint/a11y/useFocusableInteractive: as above
          <div
            key={r.id}
            id={`${id}-${r.id}`}
            role="option"
            aria-selected={r === chosen}
            aria-describedby={r === chosen ? `${id}-full` : undefined}
            onMouseMove={() => setAt(i)}
            onMouseDown={(e) => e.preventDefault()}
            onClick={() => void take(r)}
          >
            <bdi>{r.title}</bdi>
          </div>
        ))}
      </div>
      {chosen && (
        <p id={`${id}-full`} class="cp-replies-full">
          <bdi>{chosen.text}</bdi>
        </p>
      )}
      <p role="status" class={found.length === 0 ? "" : "cr-hidden"}>
        {found.length === 0 ? empty : ""}
      </p>
      <p role="alert" class="cr-error">
        {problem}
      </p>
      <input
        ref={input}
        type="text"
        role="combobox"
        dir="auto"
        autocomplete="off"
        aria-label={texts.find}
        placeholder={texts.find}
        aria-expanded={found.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen ? `${id}-${chosen.id}` : undefined}
        value={words}
        onInput={(e) => {
          setWords(e.currentTarget.value);
          setAt(0);
        }}
      />
    </div>
  );
}

/** Whether a reply has every word that somebody looks for, in its title or text. */
export function matches(r: Reply, words: string, lang: string): boolean {
  const text = `${r.title}\n${r.text}`.toLocaleLowerCase(lang);
  return words
    .toLocaleLowerCase(lang)
    .split(/\s+/)
    .every((w) => text.includes(w));
}
