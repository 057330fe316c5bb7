// A link to an event opens the list that holds it; printing opens them all.
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const list = target && target.closest("details");
  if (list && !list.open) {
    list.open = true;
    target.scrollIntoView({ block: "center" });
  }
};
addEventListener("hashchange", reveal);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
reveal();
