"use strict";
/* The page is complete without this; it adds the filter. Texts are only ever set as text. */
(function () {
	for (const button of document.querySelectorAll("button.copy")) {
		button.hidden = navigator.clipboard === undefined;
		button.addEventListener("click", () => navigator.clipboard
			.writeText(button.dataset.copy)
			.then(() => { button.textContent = "Copied"; }, () => {}));
	}

	/* A link into a finding opens it. */
	function follow() {
		const target = document.getElementById(location.hash.slice(1));
		const finding = target === null ? null : target.closest("details.finding");
		if (finding !== null) {
			finding.open = true;
			finding.scrollIntoView();
		}
	}
	window.addEventListener("hashchange", follow);
	follow();

	const bar = document.getElementById("filter");
	if (bar === null)
		return;
	const text = document.getElementById("filter-text");
	const shown = document.getElementById("filter-shown");
	const findings = Array.from(document.querySelectorAll("details.finding"),
		element => ({
			element,
			text: element.textContent.toLowerCase(),
			kind: [element.dataset.kind],
			confidence: [element.dataset.confidence],
			baseline: [element.dataset.baseline],
			module: element.dataset.modules.split("\n"),
		}));

	/* A list of the values there are; one value is no choice. */
	function choice(name) {
		const select = document.getElementById("filter-" + name);
		const values = new Set(findings.flatMap(finding => finding[name]));
		values.delete("");
		for (const value of Array.from(values).sort()) {
			const option = document.createElement("option");
			option.value = option.textContent = value;
			select.append(option);
		}
		select.parentElement.hidden = values.size < 2;
		select.addEventListener("change", update);
		return { name, select };
	}

	function update() {
		const words = text.value.toLowerCase().split(/\s+/).filter(word => word !== "");
		let count = 0;
		for (const finding of findings) {
			const fits = words.every(word => finding.text.includes(word)) &&
				choices.every(({ name, select }) => select.selectedIndex <= 0 ||
					finding[name].includes(select.value));
			finding.element.hidden = !fits;
			count += fits;
		}
		shown.textContent = count + " of " + findings.length + " shown";
	}

	function open(all) {
		for (const finding of findings)
			finding.element.open = all;
	}

	const choices = ["kind", "confidence", "module", "baseline"].map(choice);
	text.addEventListener("input", update);
	document.getElementById("filter-open").addEventListener("click", () => open(true));
	document.getElementById("filter-close").addEventListener("click", () => open(false));
	update();
	bar.hidden = false;
})();
