// Light or dark: as the system says, or as chosen.

export function wireTheme(button) {
  const themes = ["auto", "light", "dark"];
  const theme = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    localStorage.setItem("theme", name);
  };
  theme(themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");
  button.addEventListener("click", () => theme(themes[(themes.indexOf(localStorage.getItem("theme")) + 1) % 3]));
}
