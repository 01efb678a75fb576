{
  const data = JSON.parse(document.getElementById('comparison-data').textContent);
  const find = (selector) => document.querySelector(selector);
  const frames = [...document.querySelectorAll('.figures .frame')];
  const images = frames.map((frame) => frame.querySelector('img'));

  // The wipe: two pictures on top of each other, the upper one cut off at the edge.
  const place = find('.place');
  const wipe = () => {
    for (const [image, choice] of [['.over', '.left'], ['.under', '.right']]) {
      const chosen = images[find(choice).value];
      find(image).src = chosen.src;
      find(image).alt = chosen.alt;
    }
    find('.over').style.clipPath = `inset(0 ${100 - place.value}% 0 0)`;
    find('.edge').style.left = `${place.value}%`;
    place.setAttribute('aria-valuetext', `${place.value} % of the width`);
  };
  const drag = (event) => {
    if (event.buttons !== 1) return;
    const box = find('.wipe .frame').getBoundingClientRect();
    place.value = 100 * (event.clientX - box.left) / box.width;
    wipe();
  };
  for (const element of [find('.left'), find('.right'), place]) element.addEventListener('input', wipe);
  for (const kind of ['pointerdown', 'pointermove']) find('.wipe .frame').addEventListener(kind, drag);

  // The values: 16-bit codes, the last of which says that the value is not known.
  const codes = data.pictures.map(({codes}) => {
    const bytes = Uint8Array.from(atob(codes), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return (n) => view.getUint16(2 * n, true);
  });
  const column = find('.column'), row = find('.row');
  const read = () => {
    const at = Number(row.value) * data.width + Number(column.value);
    find('.where').textContent = `Column ${column.value}, row ${row.value}, counted from the upper left corner.`;
    frames.forEach((frame, n) => {
      const {low, step, unit} = data.pictures[n], code = codes[n](at);
      const value = code === 65535 ? 'not known' : `${(low + step * code).toFixed(4)} ${unit}`;
      frame.parentElement.querySelector('.value').textContent = value;
      const cross = frame.querySelector('.cross').style;
      cross.left = `${100 * (Number(column.value) + 0.5) / data.width}%`;
      cross.top = `${100 * (Number(row.value) + 0.5) / data.height}%`;
    });
  };
  const point = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    column.value = Math.floor(data.width * (event.clientX - box.left) / box.width);
    row.value = Math.floor(data.height * (event.clientY - box.top) / box.height);
    read();
  };
  for (const slider of [column, row]) slider.addEventListener('input', read);
  for (const frame of frames) {
    frame.addEventListener('pointerdown', point);
    frame.addEventListener('pointermove', (event) => { if (event.pointerType === 'mouse') point(event); });
  }
  wipe();
  read();
}
