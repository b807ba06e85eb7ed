/**
 * Single letters as shortcuts: only while nobody types, no dialog is open and no modifier is held. Whoever speaks to
 * the machine must be able to switch them off (WCAG 2.1.4), hence `isOn`.
 */
import { useEffect, useEffectEvent } from "react";

export function useShortcuts(isOn: boolean, shortcuts: Record<string, () => void>): void {
  const press = useEffectEvent((event: KeyboardEvent) => {
    const action = shortcuts[event.key.toLowerCase()];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
    if (document.querySelector("[role=dialog],[role=alertdialog],[role=menu]")) return;
    event.preventDefault();
    action();
  });
  useEffect(() => {
    if (!isOn) return;
    const listen = (event: KeyboardEvent) => press(event);
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, [isOn]);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || Boolean(target.closest("input,textarea,select,[role=textbox]")))
  );
}
